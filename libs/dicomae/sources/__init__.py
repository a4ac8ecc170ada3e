"""Where bytes come from: URIs, listings, folders, archives, inventories; reads in ranges, bounded in time."""
