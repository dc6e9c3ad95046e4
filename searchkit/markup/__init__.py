"""What pages are made of: a page that needs nothing else, tables, words. All texts are data, never markup."""
