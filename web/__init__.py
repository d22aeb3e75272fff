"""The screens, the REST API and the command line. Shows and asks; decides nothing that workflow does not decide."""
