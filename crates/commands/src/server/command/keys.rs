//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys among a command's words.

use engine::args::OwnedRequest;
use engine::{Args, CommandError, CommandResult, Context};
use spec::KeyFlag;

/// A key and what the command does to it.
type Found = (Vec<u8>, &'static [KeyFlag]);

/// What SET does without GET.
const SET_FLAGS: &[KeyFlag] = &[KeyFlag::Overwrite, KeyFlag::Update];

fn find(cx: &Context<'_>, args: &mut Args<'_>) -> Result<Vec<Found>, CommandError> {
    let words = std::iter::from_fn(|| args.next());
    let owned = OwnedRequest::from_words(words);
    let request = owned.request();
    let command = cx
        .node
        .table
        .resolve(request)
        .ok_or_else(|| CommandError::text("ERR Invalid command specified"))?;
    if command.command.spec.keys.is_empty() {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !command.fits(request.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    // What SET does to its key depends on its options.
    let gets = (3..request.len()).any(|at| request.word(at).eq_ignore_ascii_case(b"get"));
    let only_sets = command.command.spec.name == "set" && !gets;
    let flags = |flags| if only_sets { SET_FLAGS } else { flags };
    let found: Vec<Found> =
        command.keys(request).map(|(spec, key)| (key.to_vec(), flags(spec.flags))).collect();
    if found.is_empty() {
        return Err(CommandError::text("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}

pub(super) fn get_keys(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let found = find(cx, args)?;
    cx.reply.array(found.len());
    for (key, _) in &found {
        cx.reply.bulk(key);
    }
    Ok(())
}

pub(super) fn get_keys_and_flags(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let found = find(cx, args)?;
    cx.reply.array(found.len());
    for (key, flags) in found {
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.set(flags.len());
        for flag in flags {
            cx.reply.simple(flag.name());
        }
    }
    Ok(())
}
