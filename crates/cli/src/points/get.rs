//! `rp get`: one object of a recovery point.

use std::io::Write;

use serde_json::Value;

use crate::arguments::points::{Form, Get};
use crate::mask::Mask;
use crate::store::{self, Vaults, told};
use crate::{Error, output};

pub(super) fn run(arguments: &Get, out: &mut dyn Write) -> Result<(), Error> {
    let namespace = arguments.point_namespace.as_deref();
    let object = store::run(&arguments.store, namespace, async |vaults| {
        read(&vaults, arguments).await
    })?;
    let shown = if arguments.show_secrets {
        object
    } else {
        Mask::of([&object]).object(&object)
    };
    match arguments.output {
        Form::Yaml => output::yaml(&shown, out),
        Form::Json => output::json(&shown, out),
    }
}

async fn read(vaults: &Vaults, arguments: &Get) -> Result<Value, Error> {
    let Some((kind, name)) = arguments.object.split_once('/') else {
        return Err(told(
            &"write the object as its kind, `/` and its name: deployments.apps/web",
        ));
    };
    let identity = store::identity(arguments.identity.as_deref())?;
    let point = vaults.point(&arguments.point, identity).await?;
    let found = point.get(kind, arguments.namespace.as_deref(), name).await;
    let json = found.map_err(|error| told(&error))?.ok_or_else(|| {
        let place = arguments.namespace.as_ref();
        let place = place.map_or_else(String::new, |namespace| format!(" of the namespace {namespace}"));
        Error::Vault(format!("the recovery point has no {}{place}", arguments.object))
    })?;
    serde_json::from_slice(&json).map_err(|error| told(&error))
}
