"""Experiments on the timed link: pictures that wait in queues and meet their deadlines or not."""
