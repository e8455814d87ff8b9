//! `stress completions SHELL`: what a shell completes after `stress`.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::{Exit, Terminal};

#[derive(Args)]
#[command(after_help = "Examples:
  stress completions bash > ~/.local/share/bash-completion/completions/stress
  stress completions zsh > ~/.zfunc/_stress
  stress completions fish > ~/.config/fish/completions/stress.fish
  stress completions powershell >> $PROFILE")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the shell.
pub(super) fn run(arguments: &Arguments, mut command: Command, terminal: &mut Terminal) -> Exit {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "stress", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    Exit::Pass
}
