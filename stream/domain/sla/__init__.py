"""Service level agreements: calendars of opening hours, policies, and the runs of their clocks."""
