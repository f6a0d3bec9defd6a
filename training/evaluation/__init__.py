"""What is measured of a finished model folder or of a bank of filters, and plotted."""
