//! `image-build plan`: the steps to an image, each with the digest of all it is made from, so that a step whose
//! digest did not change need not be done again.

use std::path::Path;

use serde::Serialize;

use crate::device_tree;
use crate::fault::Fault;
use crate::overlay::written;
use crate::tree::{digest, sum_file, sum_of, walk};
use crate::variant::Variant;
use crate::weights;

/// The way to an image.
#[derive(Serialize)]
pub struct Plan {
    /// What is built.
    pub variant: Variant,
    /// In order.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Serialize)]
pub struct Step {
    /// Short name.
    pub name: &'static str,
    /// Which command does it.
    pub done_by: &'static str,
    /// For people.
    pub what: String,
    /// Digest of the inputs that are in the repository, and of the step before.
    pub inputs: String,
}

/// The steps of a variant.
pub fn plan(root: &Path, variant: &Variant) -> Result<Plan, Fault> {
    let mut plan = Plan { variant: variant.clone(), steps: Vec::new() };
    let v = variant;
    let slots = v.partitions.iter().map(|p| format!("{} {} MiB", p.name.get_ref(), p.size_mib));
    plan.add(
        "base",
        "image",
        format!("Debian {} {:?}, {} packages asked for", v.suite, v.architecture, v.packages.len()),
        &[v.suite.clone(), format!("{:?}", v.architecture), v.packages.join(" ")],
    );
    plan.add("overlay", "stage", format!(
        "kiosk, weights, policies, settings, units, rules for {} devices, {} masked units; the program and the weights are added when it is staged",
        v.devices.len(), v.mask.len(),
    ), &overlay_inputs(root, v)?);
    plan.add(
        "kernel",
        "image",
        format!(
            "kernel 6.12 and initial file system; command line: {}",
            v.kernel_arguments.join(" ")
        ),
        &[v.kernel_arguments.join(" ")],
    );
    plan.add(
        "root",
        "image",
        "base and overlay as squashfs with a dm-verity tree".into(),
        &[v.compatible(), v.oldest_update.clone()],
    );
    plan.add(
        "disk",
        "image",
        format!(
            "U-Boot, {} device trees with {} chips of ours, and partitions: {}",
            v.device_trees.len(),
            v.chips.len(),
            slots.clone().collect::<Vec<_>>().join(", ")
        ),
        &[slots.collect(), device_tree::inputs(root, v)?].concat(),
    );
    plan.add("update", "image", "signed bundle for RAUC".into(), &[]);
    Ok(plan)
}

fn overlay_inputs(root: &Path, variant: &Variant) -> Result<Vec<String>, Fault> {
    let mut inputs = vec![
        digest(&walk(&root.join("image-build/files"))?),
        digest(&walk(&root.join("kiosk/policy"))?),
        sum_file(&root.join(weights::MANIFEST))?,
        sum_file(&root.join("Cargo.lock"))?,
        variant.mask.join(" "),
    ];
    inputs
        .extend(written(variant).map(|(path, text)| format!("{path} {}", sum_of(text.as_bytes()))));
    Ok(inputs)
}

impl Plan {
    fn add(&mut self, name: &'static str, done_by: &'static str, what: String, inputs: &[String]) {
        let before = self.steps.last().map_or("", |step| &step.inputs);
        let inputs = sum_of(format!("{name}\n{before}\n{}", inputs.join("\n")).as_bytes());
        self.steps.push(Step { name, done_by, what, inputs });
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan can be written")
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", self.variant.name, self.variant.description);
        for (file, sum) in &self.variant.files {
            text += &format!("from {} {}\n", file.display(), &sum[..SHORT]);
        }
        for (i, step) in self.steps.iter().enumerate() {
            text += &format!(
                "{}. {} [image-build {}] {}\n   {}\n",
                i + 1,
                step.name,
                step.done_by,
                &step.inputs[..SHORT],
                step.what
            );
        }
        text.trim_end().into()
    }
}

const SHORT: usize = 16;
