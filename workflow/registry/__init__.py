"""Units, posts, people, contract staff and ledgers: records, their versions, import and export."""
