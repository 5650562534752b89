"""The description of the page's endpoints, for people and programs (OpenAPI 3.1)."""

import importlib.metadata
from typing import Any, get_args

from deepfake_ensemble.portable.metadata import DEFAULT, ModelMetadata
from deepfake_ensemble.use.classifying import FacesMode
from deepfake_ensemble.use.statements import Kind
from deepfake_ensemble.use.verdicts import told

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_MAYBE_SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_RATES: dict[str, dict[str, Any]] = {
    "reals_called_fake": _MAYBE_SHARE,
    "fakes_called_real": _MAYBE_SHARE,
    "measured_on": {"type": ["string", "null"]},
}
_STATEMENT = {
    "type": "object",
    "properties": {
        "kind": {"enum": list(get_args(Kind))},
        "place": {"type": "string"},
        "text": {"type": "string"},
        "verified": {"type": ["boolean", "null"]},
    },
    "required": ["kind", "place", "text", "verified"],
    "additionalProperties": False,
}
_FAILURE = {
    "description": "What is wrong, in words.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"detail": {"type": "string"}},
                "required": ["detail"],
                "additionalProperties": False,
            }
        }
    },
}
_WHY = {
    "400": "A parameter is not as described.",
    "403": "Another site's page asks, or by a name that is not this computer's.",
    "408": "The image did not come within its time.",
    "413": "The image is too large.",
    "415": "The content is declared as something else than an image.",
    "422": "These bytes are no image that can be used, or no face is in it; the reason is told.",
    "429": "Too many images from this address; Retry-After says when to go on.",
    "501": "The training packages or the models they made are not here; the reason is told.",
    "503": "Too many images at once; Retry-After says when to go on.",
}


def description(metadata: ModelMetadata, largest: int) -> dict[str, Any]:
    """Return the description of the endpoints, for a model file and the largest image in bytes."""
    upload = {
        "description": f"The image's file as it is, up to {largest:,} bytes.",
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/octet-stream", "image/*")
        },
    }
    detectors = list(told(metadata))
    rule = [
        _query("model", {"type": "string", "enum": detectors, "default": detectors[-1]}, "Who decides."),
        _query(
            "threshold",
            {"type": "string", "maxLength": 32, "default": DEFAULT},
            "From which P(fake) on an image is called fake: a multiple of 0.01, or an operating point.",
        ),
    ]
    faces = _query(
        "faces",
        {"type": "string", "enum": list(get_args(FacesMode)), "default": "auto"},
        "What is classified: faces where the models know faces only, the whole image, or faces in any case.",
    )
    name = _query("name", {"type": "string", "maxLength": 255, "default": ""}, "What to call the image.")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "deepfake-ensemble",
            "version": importlib.metadata.version("deepfake-ensemble"),
            "description": "Tells how likely an image is AI-made. Nothing that is sent is kept.",
        },
        "paths": {
            "/api/model": {"get": _operation("model", "What model this is, and how well it does", _object())},
            "/api/rule": {
                "get": _operation(
                    "rule", "How often a threshold was wrong", _object(), failures=("400",), parameters=rule
                )
            },
            "/api/classify": {
                "post": _operation(
                    "classify",
                    "How likely an image is fake",
                    {"application/json": {"schema": _record(metadata)}},
                    failures=("400", "403", "408", "413", "415", "422", "429", "503"),
                    parameters=[name, faces, *rule],
                    requestBody=upload,
                )
            },
            "/api/explain": {
                "post": _operation(
                    "explain",
                    "Where a detector looks (Grad-CAM)",
                    {"image/png": {"schema": {"type": "string", "format": "binary"}}},
                    failures=("400", "403", "408", "413", "415", "422", "429", "501", "503"),
                    parameters=[faces, *rule],
                    requestBody=upload,
                )
            },
            "/api/picture": {
                "post": _operation(
                    "picture",
                    "The image as it is seen, small, for browsers that cannot show its format",
                    {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
                    failures=("403", "408", "413", "415", "422", "429", "503"),
                    requestBody=upload,
                )
            },
        },
    }


def _operation(
    name: str, summary: str, content: dict[str, Any], failures: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    answers = {code: _FAILURE | {"description": _WHY[code]} for code in failures}
    return {
        "operationId": name,
        "summary": summary,
        **more,
        "responses": {"200": {"description": summary, "content": content}, **answers},
    }


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _object() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}


def _face(metadata: ModelMetadata) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = {
        "box": {
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 4,
            "maxItems": 4,
            "description": "Left, top, right, bottom, in pixels of the upright image.",
        },
        "angle": {"type": "number"},
        **dict.fromkeys(told(metadata), _MAYBE_SHARE),
        "verdict": {"enum": list(metadata.labels.values())},
        "unlike_training": {"type": "boolean"},
        "unlike_by": {"type": "array", "items": {"enum": ["pixels", "features"]}},
        "meaning": {"type": "string"},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _record(metadata: ModelMetadata) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = {
        "image": {"type": "string"},
        **dict.fromkeys(told(metadata), _MAYBE_SHARE),
        "verdict": {"enum": list(metadata.labels.values())},
        "unlike_training": {"type": "boolean"},
        "unlike_by": {"type": "array", "items": {"enum": ["pixels", "features"]}},
        "meaning": {"type": "string"},
        "decided_by": {"enum": list(told(metadata))},
        "threshold": _SHARE,
        **{f"{which}{name}": schema for which in ("", "worst_") for name, schema in _RATES.items()},
        "demonstration": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "statements": {"type": "array", "items": _STATEMENT},
        "error": {"type": "null"},
        "size": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "faces": {"type": ["array", "null"], "items": _face(metadata)},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
