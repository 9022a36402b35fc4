"""What a person sees in a terminal: progress, status, the dashboard."""
