"""What is minimised: four losses, a file each, every term a mean per entry."""
