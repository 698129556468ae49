//! The title of the process, which `ps` shows in place of its command line (`proc-title-template`).
//!
//! Linux shows the memory in which it has put the words of the command line, whatever is there now. A
//! server that may change its title starts itself over at once, as the same process, with one blank
//! word more, so that there is room for a title longer than the command line; then the title is
//! written over all words, and zeros behind it. Nobody reads the words after the start. Where `/proc`
//! is not there, or may not be written, the title stays as it is.
//!
//! Source: proc(5), `/proc/pid/cmdline`, `stat` (`arg_start`, `arg_end`) and `mem`.

use conf::Settings;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Bytes of the blank word.
const ROOM: usize = 512;
/// Where `arg_start` stands in `/proc/self/stat`, behind the name of the program and its bracket.
const START_FIELD: usize = 45;

/// Sees to it that there is room for a title behind `words`, the command line; takes the blank word
/// out that makes it. Comes back all the same if the program cannot be started over.
pub(crate) fn make_room(words: &mut Vec<OsString>) {
    let blank = OsString::from(" ".repeat(ROOM));
    if words.len() > 1 && words.last() == Some(&blank) {
        words.pop();
        return;
    }
    let (Ok(program), Some((name, rest))) = (std::env::current_exe(), words.split_first()) else {
        return;
    };
    // It comes back only with an error; then the title has the room that there is.
    let _error = Command::new(program).arg0(name).args(rest).arg(blank).exec();
}

/// What a title says besides settings.
#[derive(Debug)]
pub(crate) struct Title {
    /// What the program was called as.
    pub(crate) name: String,
    /// The file of its configuration.
    pub(crate) config: Option<PathBuf>,
    /// `[sentinel]`, or nothing.
    pub(crate) mode: &'static str,
}

impl Title {
    /// Writes the title that the settings want, if they want one.
    pub(crate) fn show(&self, settings: &Settings) {
        if settings.set_proc_title.get()
            && let Err(error) = write(self.text(settings).as_bytes())
        {
            tracing::debug!("The process keeps its title: {error}");
        }
    }

    /// The title. What stands in braces is known: the setting takes nothing else.
    fn text(&self, settings: &Settings) -> String {
        let template = settings.proc_title_template.string();
        let mut text = String::new();
        let mut rest = template.as_str();
        while let Some((before, (variable, after))) =
            rest.split_once('{').and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
        {
            text.push_str(before);
            text.push_str(&self.value(variable, settings));
            rest = after;
        }
        text.push_str(rest);
        text.trim().to_owned()
    }

    fn value(&self, variable: &str, settings: &Settings) -> String {
        match variable {
            "title" => self.name.clone(),
            "listen-addr" => {
                let (port, tls_port) = (settings.port.get(), settings.tls_port.get());
                let port = if port == 0 { tls_port } else { port };
                if port == 0 {
                    return settings.unixsocket.string();
                }
                let addresses = settings.bind.get();
                let address = addresses.first().map_or("*".into(), |a| String::from_utf8_lossy(a));
                format!("{address}:{port}")
            }
            "server-mode" => self.mode.to_owned(),
            "port" => settings.port.get().to_string(),
            "tls-port" => settings.tls_port.get().to_string(),
            "unixsocket" => settings.unixsocket.string(),
            "config-file" => {
                self.config.as_ref().map_or_else(String::new, |path| path.display().to_string())
            }
            _ => String::new(),
        }
    }
}

/// Puts `title`, as much of it as there is room for, over the words of the command line.
fn write(title: &[u8]) -> io::Result<()> {
    let (begin, end) = words_at(&fs::read_to_string("/proc/self/stat")?)
        .ok_or_else(|| io::Error::other("/proc/self/stat does not tell where the words are"))?;
    let room = usize::try_from(end - begin).unwrap_or(0);
    // The last byte must stay zero: otherwise what is shown goes on in the environment.
    let mut bytes = title[..title.len().min(room.saturating_sub(1))].to_vec();
    bytes.resize(room, 0);
    OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&bytes, begin)
}

/// Where the words of the command line begin and end in memory, as `/proc/self/stat` says it.
fn words_at(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(START_FIELD);
    let (begin, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (begin != 0 && begin < end).then_some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_its_template() {
        let settings = Settings::new();
        let path = Some(PathBuf::from("/etc/r.conf"));
        let title = Title { name: "redis-server".into(), config: path, mode: "[sentinel]" };
        assert_eq!(title.text(&settings), "redis-server *:6379 [sentinel]");
        let title = Title { mode: "", ..title };
        assert_eq!(title.text(&settings), "redis-server *:6379");
        settings.bind.set(vec![b"127.0.0.1".to_vec(), b"::1".to_vec()].into());
        settings.unixsocket.set(b"/tmp/s"[..].into());
        let template = b"T {listen-addr} {port}-{tls-port}{unixsocket} {config-file}{";
        settings.proc_title_template.set(template[..].into());
        assert_eq!(title.text(&settings), "T 127.0.0.1:6379 6379-0/tmp/s /etc/r.conf{");
        settings.port.set(0);
        settings.proc_title_template.set(b"{listen-addr} "[..].into());
        assert_eq!(title.text(&settings), "/tmp/s");
    }

    #[test]
    fn the_place_of_the_words_is_found_behind_any_name() {
        let fields: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        let stat = format!("1 (a) b) {}\n", fields.join(" "));
        assert_eq!(words_at(&stat), Some((48, 49)));
        assert_eq!(words_at("1 (a) S 1 2"), None);
    }
}
