//! A real terminal: tmux is the terminal, presses the keys and reads the screen.

use std::process::Command;
use std::time::Duration;

use super::{TempDir, run_command, temp_dir, tool, wait_until_blocking};

/// How long what a screen should show may take to come.
const SOON: Duration = Duration::from_secs(90);

/// A terminal of a size, with a command in it.
pub struct Terminal {
    socket: String,
    _folder: TempDir,
}

impl Terminal {
    /// Opens one. What the command has in its environment, the terminal has.
    pub fn open(width: u16, height: u16, inner: &Command) -> Self {
        let folder = temp_dir();
        let socket = folder.path().join("tmux").display().to_string();
        let terminal = Self { socket, _folder: folder };
        let mut command = terminal.tmux();
        command.args(["-f", "/dev/null", "new-session", "-d", "-x", &width.to_string(), "-y", &height.to_string()]);
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        for (name, value) in inner.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))) {
            command.arg("-e").arg(format!("{name}={value}"));
        }
        if let Some(folder) = inner.get_current_dir() {
            command.arg("-c").arg(folder);
        }
        // The screen stays when the command has ended, and says so.
        let words: Vec<String> = std::iter::once(inner.get_program()).chain(inner.get_args()).map(|w| format!("'{}'", w.to_str().unwrap())).collect();
        command.arg(format!("{}; echo \"ended $?\"; sleep 600", words.join(" ")));
        run_command(&mut command, b"").must();
        terminal
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new(tool("tmux"));
        command.arg("-u").arg("-S").arg(&self.socket);
        command
    }

    /// Presses a key, by tmux's name of it.
    pub fn press(&self, key: &str) {
        run_command(self.tmux().args(["send-keys", key]), b"").must();
    }

    /// What is on the screen.
    pub fn screen(&self) -> Vec<String> {
        run_command(self.tmux().args(["capture-pane", "-p"]), b"").text().lines().map(str::to_owned).collect()
    }

    /// Waits until the screen shows all of these.
    #[track_caller]
    pub fn shows(&self, wanted: &[&str]) -> Vec<String> {
        let all = || {
            let screen = self.screen().join("\n");
            wanted.iter().all(|part| screen.contains(part))
        };
        assert!(wait_until_blocking(SOON, all), "{wanted:?} are not all on the screen:\n{}", self.screen().join("\n"));
        self.screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = run_command(self.tmux().arg("kill-server"), b"");
    }
}
