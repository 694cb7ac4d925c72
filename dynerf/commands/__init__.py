"""One module per subcommand; each has ``run(options) -> exit status``. Heavy imports happen inside."""
