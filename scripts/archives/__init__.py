"""The lab's archive, upload queues, and the packages that wait in a -proposed pocket."""
