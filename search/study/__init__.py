"""What a study is asked, what it keeps and what it leaves on disk."""
