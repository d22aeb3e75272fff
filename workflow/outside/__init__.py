"""What speaks to other platforms over the network: signing, calls, answers. No rows, no decisions about people."""
