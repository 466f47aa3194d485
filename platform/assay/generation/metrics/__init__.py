"""What samples are judged by: published protocols, versioned, with intervals."""
