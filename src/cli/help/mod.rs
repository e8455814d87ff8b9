//! `stress help`: the help of a command, or a topic. The topics take their facts from the rooms that they describe.

mod driver;
mod format;
mod page;
mod topics;
mod tried;
mod variants;

use clap::{Args, Command, CommandFactory};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::suggest;
use topics::Topic;

#[derive(Args)]
#[command(after_help = "Examples:
  stress help run
  stress help metrics")]
pub(super) struct Arguments {
    /// A command, or a topic
    #[arg(value_name = "COMMAND or TOPIC")]
    about: Vec<String>,
}

/// Prints a topic, or the help of `Program` or of one of its commands.
pub(super) fn run<Program: CommandFactory>(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let topic = match arguments.about.as_slice() {
        [name] => Topic::named(name).map(|topic| topic.page().laid_out(terminal.width)),
        _ => None,
    };
    let mut command = Program::command();
    command.build();
    if let Some(topic) = &topic
        && arguments.about.iter().all(|name| command.find_subcommand(name).is_none())
    {
        terminal.print(topic);
        return Ok(Exit::Pass);
    }
    let mut about = &command;
    for name in &arguments.about {
        let Some(found) = about.find_subcommand(name) else {
            let topics = Topic::ALL.map(Topic::name).into_iter();
            let known = about.get_subcommands().map(Command::get_name).chain(topics);
            let help = suggest::suggest(name, known, "commands and topics");
            return Err(Problem::usage(format!("there is no command and no topic `{name}`")).help(help));
        };
        about = found;
    }
    let typed = std::iter::once("stress").chain(arguments.about.iter().map(String::as_str)).chain(["--help"]);
    // clap returns help as an error.
    let help = command.try_get_matches_from_mut(typed).err().map(|help| help.render().ansi().to_string());
    terminal.print(&help.unwrap_or_default());
    // A command and what it is about can have one name.
    if let Some(topic) = topic {
        terminal.print(&format!("\n{topic}"));
    }
    Ok(Exit::Pass)
}

/// The topics, for the end of `stress --help`.
pub(super) fn topics() -> String {
    let lines = Topic::ALL.map(|topic| format!("  {:<11} {}\n", topic.name(), topic.title()));
    format!("Topics (`stress help TOPIC`):\n{}", lines.concat())
}

#[cfg(test)]
mod tests;
