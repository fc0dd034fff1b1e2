"""What every stage needs: files, errors, data sets."""
