"""What the standard says, and nothing about files: tags and keys, VRs, character sets, body-part terms."""
