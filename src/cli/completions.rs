//! `stress completions SHELL`: what a shell completes after `stress`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;

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

/// Prints the script with which the shell completes the arguments of `Program`.
#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run<Program: CommandFactory>(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Program::command(), "stress", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Pass)
}
