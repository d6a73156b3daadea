//! Runs the binary under test and keeps what it said.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The longest that one command may take before it counts as hanging. No command here should take a tenth of it; a
/// machine with other work may.
const HANG: Duration = Duration::from_mins(4);

/// A fresh folder for the files of one test, removed when the test passes.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), contents).unwrap();
        self.text(name)
    }

    /// The binary with these arguments; its signing key lives in this folder, so that all runs of a test share it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaizen"));
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", &self.0)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).spawn().unwrap(), arguments)
    }

    /// With the file as standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &Path) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(File::open(input).unwrap());
        ended(command.spawn().unwrap(), arguments)
    }

    /// Starts a run and kills it as soon as a line of standard error holds `mark`.
    ///
    /// Returns whether the line came; nothing can be cleaned up by a process that is killed.
    pub(crate) fn kill_at(&self, arguments: &[&str], mark: &str) -> bool {
        let mut child = self.command(arguments).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let came = BufReader::new(stderr).lines().map_while(Result::ok).any(|line| line.contains(mark));
        child.kill().unwrap();
        child.wait().unwrap();
        came
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A command that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    arguments: String,
}

impl Ended {
    /// Fails the test with all that was said unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        assert!(self.stderr.contains(words), "no `{words}` in: {self}");
    }

    #[track_caller]
    pub(crate) fn is_silent_about(&self, words: &str) {
        assert!(!self.stderr.contains(words), "`{words}` in: {self}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Rows and features that the search saw, from the line that says so.
    pub(crate) fn shape(&self) -> Option<(usize, usize)> {
        let line = self.stderr.lines().find(|line| line.contains(" features · "))?;
        let (rows, rest) = line.split_once(" rows, ")?;
        let features = rest.split_once(' ')?.0;
        Some((rows.parse().ok()?, features.parse().ok()?))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shortened = |text: &str| text.chars().take(6_000).collect::<String>();
        write!(
            f,
            "kaizen {}\nexit code {}\nstandard error:\n{}\nstandard output:\n{}",
            self.arguments,
            self.code,
            shortened(&self.stderr),
            shortened(&self.stdout)
        )
    }
}

/// Waits for both ends of a process; kills it, and fails, when it hangs.
fn ended(mut child: Child, arguments: &[&str]) -> Ended {
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let arguments = arguments.join(" ");
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(HANG), stderr.recv_timeout(HANG)) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("kaizen {arguments}: hangs");
    };
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ended { code, stdout, stderr, arguments }
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

/// A table that ships with the project.
pub(crate) fn shipped(name: &str) -> String {
    format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/{}"), name)
}
