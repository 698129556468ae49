//! Stock Redis 7.0.15 out of Debian's packages, unpacked under `target/stock`.
//!
//! `apt-get download` and `dpkg -x` need no root and start no service. Shared libraries that the
//! machine lacks are unpacked beside it and found through `LD_LIBRARY_PATH`.

use crate::failure::{During, Failure, Outcome, ensure};
use crate::{run, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that interoperability is stated for.
const VERSION: &str = "7.0.15";
/// Debian's packages that hold the programs.
const PACKAGES: [&str; 2] = ["redis-server", "redis-tools"];
/// Libraries that the programs may lack, and the packages that hold them.
const LIBRARIES: [(&str, &str); 14] = [
    ("libatomic.so.1", "libatomic1"),
    ("liblzf.so.1", "liblzf1"),
    ("libjemalloc.so.2", "libjemalloc2"),
    ("libsystemd.so.0", "libsystemd0"),
    ("libssl.so.3", "libssl3"),
    ("libcrypto.so.3", "libssl3"),
    ("libstdc++.so.6", "libstdc++6"),
    ("libgcc_s.so.1", "libgcc-s1"),
    ("libcap.so.2", "libcap2"),
    ("libgcrypt.so.20", "libgcrypt20"),
    ("liblzma.so.5", "liblzma5"),
    ("libzstd.so.1", "libzstd1"),
    ("liblz4.so.1", "liblz4-1"),
    ("libgpg-error.so.0", "libgpg-error0"),
];
/// Libraries lead to libraries; so many rounds of fetching at most.
const ROUNDS_MAX: usize = 5;

/// The unpacked programs.
#[derive(Clone, Debug)]
pub struct Stock {
    root: PathBuf,
}

impl Stock {
    /// The programs, fetched if they are not there yet.
    ///
    /// # Errors
    /// When they are not there and cannot be fetched.
    pub fn find() -> Outcome<Stock> {
        let stock = Stock { root: workspace::root().join("target/stock") };
        if !stock.works() {
            stock.fetch().during(|| format!("stock redis {VERSION}"))?;
        }
        Ok(stock)
    }

    /// The server; called with `--sentinel` it is a sentinel.
    pub fn server(&self) -> PathBuf {
        self.root.join("usr/bin/redis-server")
    }

    /// A command that finds the libraries unpacked beside the program.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", self.library_path());
        command
    }

    fn library_path(&self) -> String {
        let mut folders = Vec::new();
        for base in ["usr/lib", "lib"] {
            let inside = fs::read_dir(self.root.join(base)).into_iter().flatten().flatten();
            folders.extend(inside.map(|entry| entry.path().display().to_string()));
        }
        folders.join(":")
    }

    fn works(&self) -> bool {
        let asked = self.command(&self.server()).arg("--version").output();
        asked.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).contains(&format!("v={VERSION}"))
        })
    }

    fn fetch(&self) -> Outcome {
        for tool in ["apt-get", "dpkg", "ldd"] {
            ensure(run::exists(tool), || {
                format!("{tool} is missing; the packages come from Debian 12, or unpack them there")
            })?;
        }
        self.unpack(&PACKAGES)?;
        for _ in 0..ROUNDS_MAX {
            let missing = self.missing_libraries()?;
            if missing.is_empty() {
                break;
            }
            self.unpack(&missing)?;
        }
        ensure(self.works(), || {
            format!("the package that apt-get offers is not version {VERSION} or does not run")
        })
    }

    /// Downloads packages and unpacks them; asks for the lists of packages when they are not known.
    fn unpack(&self, packages: &[&str]) -> Outcome {
        let folder = self.root.join("packages");
        fs::create_dir_all(&folder)?;
        println!("  fetching {}", packages.join(" "));
        let download = || {
            let mut command = Command::new("apt-get");
            run::output(command.arg("download").args(packages).current_dir(&folder))
        };
        if download().is_err() {
            run::quietly("apt-get", &["update", "-qq"])?;
            download()?;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            run::output(Command::new("dpkg").arg("-x").arg(&path).arg(&self.root))?;
            fs::remove_file(&path)?;
        }
        Ok(())
    }

    fn missing_libraries(&self) -> Outcome<Vec<&'static str>> {
        let mut ldd = Command::new("ldd");
        ldd.env("LD_LIBRARY_PATH", self.library_path()).arg(self.server());
        let listing = run::output(&mut ldd)?;
        let mut packages = Vec::new();
        for line in listing.lines().filter(|line| line.contains("not found")) {
            let name = line.split_whitespace().next().unwrap_or_default();
            let known = LIBRARIES.iter().find(|(library, _)| *library == name);
            let (_, package) =
                known.ok_or_else(|| Failure::new(format!("library {name} is missing")))?;
            packages.push(*package);
        }
        packages.sort_unstable();
        packages.dedup();
        Ok(packages)
    }
}
