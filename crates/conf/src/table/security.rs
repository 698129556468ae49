//! Settings of passwords, users and dangerous commands.

macro_rules! security_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Security" {
        /// The password of the default user.
        requirepass: Text = Row::text("requirepass", "").sensitive();
        /// Whether CONFIG SET may change protected settings.
        enable_protected_configs: Choice<ProtectedAction> = Row::choice(
            "enable-protected-configs", ProtectedAction::WORDS, ProtectedAction::No.at(),
        ).immutable();
        /// Whether DEBUG may be used.
        enable_debug_command: Choice<ProtectedAction> = Row::choice(
            "enable-debug-command", ProtectedAction::WORDS, ProtectedAction::No.at(),
        ).immutable();
        /// Whether MODULE may be used.
        enable_module_command: Choice<ProtectedAction> = Row::choice(
            "enable-module-command", ProtectedAction::WORDS, ProtectedAction::No.at(),
        ).immutable();
        /// The file of users.
        aclfile: Text = Row::text("aclfile", "").immutable().not_built(Part::Acl);
        /// How many refused accesses are remembered.
        acllog_max_len: Number =
            Row::number("acllog-max-len", 128, 0, LONG).not_built(Part::Acl);
        /// Whether a new user may use every channel or none.
        acl_pubsub_default: Choice<AclPubsubDefault> = Row::choice(
            "acl-pubsub-default", AclPubsubDefault::WORDS, AclPubsubDefault::Resetchannels.at(),
        ).not_built(Part::Acl);
        /// Whose dumped values RESTORE and loading check in depth. All are, so that this changes nothing.
        sanitize_dump_payload: Choice<SanitizeDumpPayload> = Row::choice(
            "sanitize-dump-payload", SanitizeDumpPayload::WORDS, SanitizeDumpPayload::No.at(),
        );
    } } };
}
