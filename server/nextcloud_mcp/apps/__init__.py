"""What people use: one folder an app, with its tools and with Nextcloud's API behind them; none imports another."""
