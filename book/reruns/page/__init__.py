"""What a chapter is laid out with: tables and figures."""
