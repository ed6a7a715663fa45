"""Where observations are kept: the lake (files), and a store in memory."""
