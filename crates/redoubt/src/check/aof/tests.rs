//! Append-only files as stock 7.0.15 left them, whole and damaged, and what its redis-check-aof said.

use super::*;
use std::path::PathBuf;

/// What `SET q 1` in database 3 left behind a time.
const INCREMENT: &str = "#TS:1795867315\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n\
    *3\r\n$3\r\nset\r\n$1\r\nq\r\n$1\r\n1\r\n";

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    /// An append-only file of one increment that holds `bytes`.
    fn new(bytes: &[u8]) -> Folder {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.manifest"), "file a.1.incr.aof seq 1 type i\n").unwrap();
        fs::write(dir.path().join("a.1.incr.aof"), bytes).unwrap();
        Folder { dir }
    }

    fn increment(&self) -> PathBuf {
        self.dir.path().join("a.1.incr.aof")
    }

    fn check(&self, options: &[&str], answer: &str) -> (i32, String) {
        let manifest = self.dir.path().join("a.manifest");
        let mut words: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        words.push(manifest.to_str().unwrap().to_owned());
        let mut out = Vec::new();
        let code = main(&words, &mut answer.as_bytes(), &mut out, &Bar::default());
        (code, String::from_utf8(out).unwrap())
    }
}

#[test]
fn a_whole_file_is_valid() {
    let folder = Folder::new(INCREMENT.as_bytes());
    let size = INCREMENT.len();
    let expected = format!(
        "Start checking Multi Part AOF\nStart to check INCR files.\n\
         AOF analyzed: filename=a.1.incr.aof, size={size}, ok_up_to={size}, ok_up_to_line=13, diff=0\n\
         INCR AOF a.1.incr.aof is valid\nAll AOF files and manifest are valid\n"
    );
    assert_eq!(folder.check(&[], ""), (0, expected));
}

#[test]
fn a_torn_tail_is_cut_off_if_asked_for() {
    let folder = Folder::new(&INCREMENT.as_bytes()[..INCREMENT.len() - 5]);
    let (code, text) = folder.check(&[], "");
    assert_eq!(code, 1);
    assert!(text.ends_with("is not valid. Use the --fix option to try fixing it.\n"), "{text}");
    let (code, text) = folder.check(&["--fix"], "n\n");
    assert!(code == 1 && text.ends_with("Continue? [y/N]: Aborting...\n"), "{text}");
    let (code, text) = folder.check(&["--fix"], "y\n");
    assert!(code == 0 && text.contains("Successfully truncated AOF a.1.incr.aof\n"), "{text}");
    let kept = fs::read(folder.increment()).unwrap();
    assert!(INCREMENT.as_bytes().starts_with(&kept) && kept.ends_with(b"$1\r\n3\r\n"));
    assert_eq!(folder.check(&[], "").0, 0);
}

#[test]
fn what_is_younger_goes_if_asked_for() {
    let younger = format!("{INCREMENT}#TS:1795867400\r\n*1\r\n$4\r\nPING\r\n");
    let folder = Folder::new(younger.as_bytes());
    let (code, text) = folder.check(&["--truncate-to-timestamp", "1795867399"], "");
    assert!(code == 0 && text.contains("to timestamp 1795867399\n"), "{text}");
    assert_eq!(fs::read(folder.increment()).unwrap(), INCREMENT.as_bytes());
    let (code, text) = folder.check(&["--truncate-to-timestamp", "1"], "");
    assert!(code == 1 && text.ends_with("has nothing before timestamp 1, aborting...\n"), "{text}");
}

#[test]
fn what_is_missing_or_no_manifest_is_named() {
    let folder = Folder::new(b"");
    fs::remove_file(folder.increment()).unwrap();
    let (code, text) = folder.check(&[], "");
    assert!(code == 1 && text.contains("a.1.incr.aof: No such file or directory"), "{text}");
    let mut out = Vec::new();
    assert_eq!(main(&[], &mut &b""[..], &mut out, &Bar::default()), 1);
    assert!(out.starts_with(b"Usage: "));
}

#[test]
fn what_is_damaged_is_not_valid_up_to_any_time() {
    let (whole, broken) =
        (INCREMENT, INCREMENT.replace("*3", "?3").replace("1795867315", "1795867400"));
    let folder = Folder::new([whole, &broken].concat().as_bytes());
    let (code, text) = folder.check(&["--truncate-to-timestamp", "1795867405"], "");
    assert!(code == 1 && text.ends_with("Use the --fix option to try fixing it.\n"), "{text}");
}
