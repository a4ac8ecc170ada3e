"""What the standard says, and nothing of files: tags and keys, VRs, character sets, terms of body parts."""
