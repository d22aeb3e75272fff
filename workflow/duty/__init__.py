"""The duties of the data security officer (办法15, 办法19): monthly check, quarterly update, incidents, alarms."""
