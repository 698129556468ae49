//! Directives that older servers knew, and misspellings that go around: ignored with a warning that
//! names the right one. They are not applied, for nobody can know that the value was meant for
//! another name.

/// The advice for a directive that is known to be wrong, with its name.
pub fn advice(directive: &str) -> Option<(&'static str, &'static str)> {
    RETIRED.iter().find(|(name, _)| *name == directive).copied()
}

const RETIRED: &[(&str, &str)] = &[
    ("logevel", "did you mean 'loglevel'?"),
    ("log-level", "did you mean 'loglevel'?"),
    ("log-file", "did you mean 'logfile'?"),
    ("max-memory", "did you mean 'maxmemory'?"),
    ("max-clients", "did you mean 'maxclients'?"),
    ("append-only", "did you mean 'appendonly'?"),
    ("append-fsync", "did you mean 'appendfsync'?"),
    ("require-pass", "did you mean 'requirepass'?"),
    ("master-auth", "did you mean 'masterauth'?"),
    ("repl-diskless-sync-period", "there is none; the wait is 'repl-diskless-sync-delay'"),
    ("active-defrag-enabled", "the switch is 'activedefrag'"),
    ("active-defrag", "the switch is 'activedefrag'"),
    ("hash-max-zipmap-entries", "it is 'hash-max-listpack-entries' now"),
    ("hash-max-zipmap-value", "it is 'hash-max-listpack-value' now"),
    ("list-max-ziplist-entries", "it is 'list-max-listpack-size' now"),
    ("list-max-ziplist-value", "it is 'list-max-listpack-size' now"),
    ("lua-replicate-commands", "scripts always replicate their effects"),
    ("slave-serve-stale", "did you mean 'replica-serve-stale-data'?"),
    ("glueoutputbuf", "replies are always put together"),
    ("vm-enabled", "virtual memory is gone; see 'maxmemory'"),
    ("vm-swap-file", "virtual memory is gone; see 'maxmemory'"),
    ("vm-max-memory", "virtual memory is gone; see 'maxmemory'"),
    ("vm-page-size", "virtual memory is gone; see 'maxmemory'"),
    ("vm-pages", "virtual memory is gone; see 'maxmemory'"),
    ("vm-max-threads", "virtual memory is gone; see 'maxmemory'"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn no_retired_name_is_a_setting_and_every_advice_names_one() {
        for (name, advice) in RETIRED {
            assert!(table::row(name.as_bytes()).is_none(), "{name}");
            if let Some((_, rest)) = advice.split_once('\'') {
                let named = rest.split('\'').next().unwrap();
                assert!(table::row(named.as_bytes()).is_some(), "{named}");
            }
        }
    }
}
