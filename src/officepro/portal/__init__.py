"""Partner portal: server-rendered pages for partners' engineers and the admin. One module per page."""
