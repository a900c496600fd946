"""From video to motion: key points in pictures, and the poses that explain them."""
