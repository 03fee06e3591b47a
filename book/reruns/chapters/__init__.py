"""What one chapter alone needs: its experiment, a module, or a package where there are parts."""
