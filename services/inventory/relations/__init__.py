"""What lies below and above a resource on the way from hosts to disks."""
