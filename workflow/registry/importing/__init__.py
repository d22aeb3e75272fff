"""Import of one file into one data set: whole or nothing, with a sentence for every row and field that cannot be stored."""
