"""minedisc: finds surface mines and tailings dams that nobody registered.

The core knows no Streamlit, leafmap or folium. Read the straight line in the README first.
"""

__version__ = "0.1.0"
