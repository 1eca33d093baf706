"""What keeps the documents true: sessions that are run, pages that are made from the code, the site."""
