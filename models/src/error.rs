//! What can go wrong with a model file or a network, each with a code and the
//! thing to do about it. A poor picture is never an error.

use std::path::PathBuf;

use crate::vendor::EngineFault;

/// A fault of the model files, the set-up clients or a network.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The manifest cannot be read.
    #[error("the model manifest is not valid: {0}")]
    Manifest(String),
    /// The manifest does not name this model.
    #[error("the manifest has no model {0}")]
    Unknown(String),
    /// The file is not there.
    #[error("model {id} is missing: {path}")]
    Missing {
        /// The model's name in the manifest.
        id: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is shorter or longer than the manifest says.
    #[error("model {id} has {found} bytes and should have {expected}")]
    Truncated {
        /// The model's name in the manifest.
        id: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// The file is not the one the manifest names.
    #[error("model {id} has sha256 {found}, the manifest says {expected}")]
    WrongHash {
        /// The model's name in the manifest.
        id: String,
        /// Digest by the manifest.
        expected: String,
        /// Digest of the file.
        found: String,
    },
    /// The network cannot be built or run.
    #[error("network {id} failed: {reason}")]
    Network {
        /// The model's name in the manifest.
        id: String,
        /// The runtime's own words.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A package client is not installed or did not deliver.
    #[error("{client} could not deliver {package}: {reason}")]
    Client {
        /// `npm`, `pip` or `tar`.
        client: String,
        /// Package and version.
        package: String,
        /// The end of what the client said.
        reason: String,
    },
    /// A vendor's engine does not do its work.
    #[error("the engine {id} failed")]
    Engine {
        /// The engine's name in the manifest.
        id: String,
        /// What is wrong with it.
        #[source]
        fault: EngineFault,
    },
    /// A list of files to evaluate cannot be used.
    #[error("the list {path} is not usable: {reason}")]
    Pairs {
        /// The list.
        path: PathBuf,
        /// Line and cause.
        reason: String,
    },
    /// A place that results are to go to cannot be used.
    #[error("cannot write to {path}: {reason}")]
    Output {
        /// The place.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A report of `evaluate` cannot be calibrated from.
    #[error("the report does not serve: {0}")]
    Report(String),
}

/// What a person reads: a code, and what to do, in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// What happened, `err-…`.
    pub code: &'static str,
    /// What to do, `rec-…`.
    pub remedy: &'static str,
    /// The remedy in Chinese.
    pub zh: &'static str,
    /// The remedy in English.
    pub en: &'static str,
}

impl ModelError {
    /// The code for this fault and what to do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Manifest(_) | Self::Unknown(_) => MANIFEST,
            Self::Missing { .. } => MISSING,
            Self::Truncated { .. } => TRUNCATED,
            Self::WrongHash { .. } => WRONG_HASH,
            Self::Network { .. } => NETWORK,
            Self::Io { .. } => IO,
            Self::Client { .. } => CLIENT,
            Self::Engine { fault: EngineFault::Refused(_), .. } => REFUSED,
            Self::Engine { .. } => ENGINE,
            Self::Pairs { .. } => PAIRS,
            Self::Output { .. } => OUTPUT,
            Self::Report(_) => REPORT,
        }
    }

    /// The code alone, for a log line or a status panel.
    pub fn code(&self) -> &'static str {
        self.advice().code
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

const MANIFEST: Advice = Advice {
    code: "err-model-manifest",
    remedy: "rec-model-manifest",
    zh: "模型清单有误，请核对模型目录里的 manifest.toml，或重新安装程序。",
    en: "The model manifest is wrong: look at manifest.toml in the model folder, or install the program again.",
};
const MISSING: Advice = Advice {
    code: "err-model-missing",
    remedy: "rec-model-missing",
    zh: "缺少模型文件，请运行 models fetch。",
    en: "A model file is missing: run `models fetch`.",
};
const TRUNCATED: Advice = Advice {
    code: "err-model-truncated",
    remedy: "rec-model-truncated",
    zh: "模型文件不完整，请检查磁盘后重新运行 models fetch。",
    en: "A model file is incomplete: check the disk, then run `models fetch`.",
};
const WRONG_HASH: Advice = Advice {
    code: "err-model-hash",
    remedy: "rec-model-hash",
    zh: "模型文件校验不符，请勿使用；删除后重新运行 models fetch。",
    en: "A model file is not the one that was approved: delete it and run `models fetch`.",
};
const NETWORK: Advice = Advice {
    code: "err-model-network",
    remedy: "rec-model-network",
    zh: "模型无法运行，请改用其他认证方式并报修。",
    en: "A network does not run: use another method and call for service.",
};
const IO: Advice = Advice {
    code: "err-model-io",
    remedy: "rec-model-io",
    zh: "文件或文件夹无法读写，请检查路径、磁盘空间和权限。",
    en: "A file or folder cannot be used: check its path, free space and permissions.",
};
const CLIENT: Advice = Advice {
    code: "err-model-client",
    remedy: "rec-model-client",
    zh: "下载未完成，请检查网络以及 npm、pip、tar 是否已安装。",
    en: "The download failed: check the network and that npm, pip and tar are installed.",
};
const ENGINE: Advice = Advice {
    code: "err-model-engine",
    remedy: "rec-model-engine",
    zh: "厂商算法程序异常，请改用其他认证方式并报修。",
    en: "The vendor's engine does not work: use another method and call for service.",
};
const REFUSED: Advice = Advice {
    code: "err-model-engine-refused",
    remedy: "rec-model-engine-refused",
    zh: "厂商算法不接受这张图像，请重新采集。",
    en: "The vendor's engine does not take this picture: take it again.",
};
const OUTPUT: Advice = Advice {
    code: "err-model-output",
    remedy: "rec-model-output",
    zh: "结果无法写到这个位置，请换一个文件名或文件夹。",
    en: "The results cannot go there: name another file or folder.",
};
const REPORT: Advice = Advice {
    code: "err-model-report",
    remedy: "rec-model-report",
    zh: "这份评测报告不能用于定阈值，请核对报告种类、样本数量和所要求的比率。",
    en: "No thresholds can be read off this report: check its kind, its sizes and the rate asked for.",
};
const PAIRS: Advice = Advice {
    code: "err-model-pairs",
    remedy: "rec-model-pairs",
    zh: "评测清单格式有误，请检查表头和路径。",
    en: "The evaluation list is not usable: check its header and paths.",
};
