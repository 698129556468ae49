//! Who this node is, for life: a small file beside its data.
//!
//!     node  <40 digits>     this node
//!     group <40 digits>     the replica group it belongs to
//!     epoch <number>        the highest epoch of a primary it has followed or been
//!
//! Written durably (temporary file, fsync, rename, fsync of the directory) before it is used.

use base::RunId;
use base::random::Random;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file's name in `dir`.
const NAME: &str = "redoubt.id";

/// A node's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    path: PathBuf,
    /// This node.
    pub(crate) node: RunId,
    /// Its group.
    pub(crate) group: RunId,
    /// The highest epoch.
    pub(crate) epoch: u64,
}

impl Identity {
    /// The identity kept in `dir`; a new one is made and kept if there is none.
    ///
    /// # Errors
    /// Those of reading or writing; `InvalidData` for a file that is not as drawn above.
    pub(crate) fn load_or_create(dir: &Path) -> io::Result<Identity> {
        let path = dir.join(NAME);
        match fs::read_to_string(&path) {
            Ok(text) => parse(path, &text).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{NAME} is damaged"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut random = Random::from_system();
                let (node, group) = (RunId::generate(&mut random), RunId::generate(&mut random));
                let identity = Identity { path, node, group, epoch: 0 };
                identity.save()?;
                Ok(identity)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the identity.
    ///
    /// # Errors
    /// Those of writing; the old file is intact then.
    pub(crate) fn save(&self) -> io::Result<()> {
        let temporary = self.path.with_extension("id.tmp");
        let text = format!("node {}\ngroup {}\nepoch {}\n", self.node, self.group, self.epoch);
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn parse(path: PathBuf, text: &str) -> Option<Identity> {
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::trim))
    };
    Some(Identity {
        path,
        node: RunId::parse(field("node")?.as_bytes())?,
        group: RunId::parse(field("group")?.as_bytes())?,
        epoch: field("epoch")?.parse().ok()?,
    })
}
