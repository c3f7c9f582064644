"""The demo area: generated Sentinel-2 imagery of a made-up piece of Minas Gerais, with its ground truth."""

from minedisc_core.imagery.demo.files import DemoArea, write_demo
from minedisc_core.imagery.demo.scene import Feature, Scene, ScenePlan, generate_scene, plan_scene

__all__ = ["DemoArea", "Feature", "Scene", "ScenePlan", "generate_scene", "plan_scene", "write_demo"]
