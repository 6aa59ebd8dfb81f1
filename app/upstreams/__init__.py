"""What each upstream speaks, and the one seam through which it is asked."""
