"""The demo city Mainz: real places, invented devices. SOURCE.md names where the facts come from."""
