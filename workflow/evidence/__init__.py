"""Evidence of a case (证据包, 办法17): everything it went by in one document, sealed by digests, to be judged again by anybody."""
