//! Examples of `strata cost`, as its help and `docs/cost.md` have them.

/// What is said below the options.
pub(crate) const EXAMPLES: &str = "\
Examples:
  strata cost                          # the last hour by namespace and model
  strata cost --by team --since 24h
  strata cost --by team --basis used --idle proportional   # who is charged what
  strata cost --by tenant,model        # tenants of shared models, by their tokens
  strata cost --by run,team            # training runs; below, what a step and a token cost
  strata cost calls --by team,model    # by request records: own GPUs and APIs, U0 to U4
  strata cost calls --by conversation --since 24h
  strata cost why --since 30m          # against the half hour before, as terms that add up
  strata cost export focus --since 30d # FOCUS rows in CSV
  strata cost advice --since 7d        # what would save money, with evidence and the command
  strata cost breakeven --prompt 0.5 --generated 1.5   # own GPUs beside an API
  strata cost tariff                   # what a GPU hour is in tokens; what is sold beside its cost
  strata cost budgets                  # spent, left, how fast it burns, when it is used up
  strata cost prices                   # the price book
  strata cost statement list           # what is closed, with its hash
  strata cost statement close --customer acme --dry-run   # a draft of last month";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    const PAGE: &str = include_str!("../../../../../docs/cost.md");

    /// What is between the fences of a page that name no language.
    fn blocks() -> Vec<&'static str> {
        let parts = PAGE.split("```").skip(1).step_by(2);
        parts.filter_map(|block| block.strip_prefix('\n')).collect()
    }

    #[test]
    fn the_help_and_the_page_show_the_same() {
        let shown: Vec<&str> = EXAMPLES.lines().skip(1).map(str::trim_start).collect();
        let on_page: Vec<&str> = blocks().first().unwrap().lines().collect();
        assert_eq!(shown, on_page);
    }

    #[test]
    fn every_command_on_the_page_is_understood() {
        let lines = blocks().into_iter().flat_map(str::lines);
        let commands = lines.filter(|line| line.starts_with("strata "));
        let commands: Vec<&str> =
            commands.map(|line| line.split(" #").next().unwrap_or(line).trim_end()).collect();
        assert!(commands.len() > 10, "{commands:?}");
        for command in commands {
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}
