"""What exhibits are drawn with: style, bars, tables, and the shapes that several of them share."""
