//! Who is paid what, and the ways in which somebody may prove to be alive.
//!
//! [`Entitlement`] is what the roster file holds for each benefit of a person. What is due for it is a policy
//! pack's business ([`crate::policy`]).

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::message::Id;

/// A closed list of words: each with the stable name in files and records, and in Chinese and English.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $id:literal, $zh:literal, $en:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $en] $variant,)+ }

        impl $name {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name in files and records.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The word of this name.
            pub fn from_id(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)+ _ => None }
            }

            /// In Chinese.
            pub fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }

            /// In English.
            pub fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }
        }

        impl $crate::benefit::Word for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn id(self) -> &'static str {
                $name::id(self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.id())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let id = <String as serde::Deserialize>::deserialize(from)?;
                Self::from_id(&id).ok_or_else(|| {
                    serde::de::Error::unknown_variant(&id, &[$($id,)+])
                })
            }
        }
    };
}
pub(crate) use vocabulary;

/// A word of one of the closed lists.
pub trait Word: Copy + 'static {
    /// The whole list.
    fn all() -> &'static [Self];
    /// The stable name in files and records.
    fn id(self) -> &'static str;
}

/// What one benefit of one person looks like in the roster. Absent keys have the default that harms nobody.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entitlement {
    /// Policy pack in force for it.
    pub pack: String,
    /// Group of people (`retiree`, `survivor`, …); empty means the first group of the pack.
    pub group: String,
    /// Last success that the centre knows, by whatever method (R43).
    pub last: Option<Success>,
    /// Payment was suspended by the agency.
    pub suspended: bool,
    /// A review or appeal is running; answer expected by this day (R125).
    #[serde(with = "day")]
    pub under_review: Option<Date>,
    /// First day of the entitlement.
    #[serde(with = "day")]
    pub retired_on: Option<Date>,
    /// Where the entitlement stands in its life.
    pub stage: Stage,
    /// Where the person lives, as far as the rules care.
    pub abode: Abode,
    /// Paid twice; to be cleared before anything else (R17).
    pub duplicate: bool,
}

/// A certification that the centre has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// Day of capture, not of delivery (R123).
    #[serde(with = "day::required")]
    pub on: Date,
    /// How.
    pub method: Method,
}

vocabulary! {
    /// A way to prove to be alive. Which of them count, and how, is said by the policy pack.
    Method {
        FaceIdPhoto = "face_id_photo", "人脸与身份证照片比对", "face against the card photo";
        FaceModel = "face_model", "人脸与已建模型比对", "face against the enrolled model";
        FingerprintModel = "fingerprint_model", "指纹", "fingerprint";
        Voice = "voice", "声纹", "voice";
        FingerVein = "finger_vein", "指静脉", "finger vein";
        PaperStatement = "paper_statement", "书面生存证明", "statement on paper";
        HomeVisit = "home_visit", "上门认证", "home visit";
        Special = "special", "特殊认证", "special certification";
        Phone = "phone", "手机自助认证", "phone app";
        DataMatch = "data_match", "数据比对", "data matching";
        Appeal = "appeal", "申诉通过", "approved appeal";
        Window = "window", "窗口认证", "agency window";
    }
}

impl Method {
    /// Its name on the screen.
    pub fn message(self) -> Id {
        match self {
            Self::FaceIdPhoto => Id::MethodFacePhoto,
            Self::FaceModel => Id::MethodFaceModel,
            Self::FingerprintModel => Id::MethodFinger,
            Self::Voice => Id::MethodVoice,
            Self::FingerVein => Id::MethodVein,
            Self::PaperStatement => Id::MethodPaper,
            Self::HomeVisit => Id::MethodHomeVisit,
            Self::Special => Id::MethodSpecial,
            Self::Phone => Id::MethodPhone,
            Self::DataMatch => Id::MethodDataMatch,
            Self::Appeal => Id::MethodAppeal,
            Self::Window => Id::MethodWindow,
        }
    }

    /// Whether a terminal with camera, fingerprint module and two operators can do it.
    pub fn at_the_terminal(self) -> bool {
        use Method::{Appeal, FaceIdPhoto, FaceModel, FingerprintModel, HomeVisit, Special};
        matches!(self, FaceIdPhoto | FaceModel | FingerprintModel | Appeal | HomeVisit | Special)
    }
}

vocabulary! {
    /// Groups of people as the notices name them (R1 to R5).
    Group {
        Retiree = "retiree", "离退休人员", "retiree";
        Survivor = "survivor", "供养人员（遗属）", "survivor";
        WorkInjury = "work_injury", "享受伤残津贴的工伤职工", "work-injured with disability allowance";
        Resident = "resident", "城乡居民养老待遇领取人员", "urban or rural resident";
        Unemployed = "unemployed", "失业保险待遇领取人员", "unemployed";
    }
}

vocabulary! {
    /// Insurance that pays.
    Insurance {
        EnterprisePension = "enterprise_pension", "企业职工养老保险", "enterprise pension";
        InstitutionPension = "institution_pension", "机关事业单位养老保险", "institution pension";
        ResidentPension = "resident_pension", "城乡居民养老保险", "residents' pension";
        WorkInjury = "work_injury", "工伤保险", "work injury";
        Unemployment = "unemployment", "失业保险", "unemployment";
    }
}

vocabulary! {
    /// Where an entitlement stands in its life.
    Stage {
        InPayment = "in_payment", "在发", "in payment";
        PreApproval = "pre_approval", "待遇核定前", "before approval";
        NotAdded = "not_added", "尚未办理新增", "not yet added at the window";
        Ended = "ended", "待遇已终止", "ended";
    }
}

#[expect(clippy::derivable_impls, reason = "the list is written by a macro that knows no default")]
impl Default for Stage {
    fn default() -> Self {
        Self::InPayment
    }
}

vocabulary! {
    /// Where somebody lives, as far as the rules care.
    Abode {
        Local = "local", "本地", "here";
        Elsewhere = "elsewhere", "异地", "elsewhere in the mainland";
        HkMoTw = "hkmotw", "港澳台", "in Hong Kong, Macau or Taiwan";
        Overseas = "overseas", "境外", "overseas";
    }
}

#[expect(clippy::derivable_impls, reason = "the list is written by a macro that knows no default")]
impl Default for Abode {
    fn default() -> Self {
        Self::Local
    }
}

/// Dates in files: `2025-10-01`, absent, or null.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(day: &Option<Date>, to: S) -> Result<S::Ok, S::Error> {
        day.map(|day| day.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Date>, D::Error> {
        match Option::<String>::deserialize(from)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
        }
    }

    pub(super) mod required {
        use super::{Date, Deserialize, Deserializer, Serializer};

        pub(in crate::benefit) fn serialize<S: Serializer>(
            day: &Date,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.serialize_str(&day.to_string())
        }

        pub(in crate::benefit) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Date, D::Error> {
            String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_by_its_name() {
        for method in Method::ALL {
            assert_eq!(Method::from_id(method.id()), Some(*method));
            assert!(method.message().name().starts_with("method-"));
        }
        assert_eq!(Method::from_id("Face"), None);
    }

    #[test]
    fn a_roster_entry_needs_only_its_pack() {
        let bare: Entitlement = toml::from_str(r#"pack = "p""#).unwrap();
        assert_eq!(bare, Entitlement { pack: "p".into(), ..Entitlement::default() });
        let full = Entitlement {
            pack: "p".into(),
            group: "survivor".into(),
            last: Some(Success { on: Date::constant(2024, 2, 29), method: Method::Window }),
            suspended: true,
            under_review: Some(Date::constant(2025, 1, 2)),
            retired_on: Some(Date::constant(2004, 5, 1)),
            stage: Stage::PreApproval,
            abode: Abode::Overseas,
            duplicate: true,
        };
        let text = toml::to_string(&full).unwrap();
        assert!(text.contains(r#"on = "2024-02-29""#) && text.contains(r#"method = "window""#));
        assert_eq!(toml::from_str::<Entitlement>(&text).unwrap(), full);
    }

    #[test]
    fn a_roster_entry_with_an_unknown_method_is_refused() {
        let text = "pack = \"p\"\nlast = { on = \"2024-02-29\", method = \"guess\" }";
        assert!(toml::from_str::<Entitlement>(text).unwrap_err().to_string().contains("guess"));
        let text = "pack = \"p\"\nlast = { on = \"2023-02-29\", method = \"phone\" }";
        assert!(toml::from_str::<Entitlement>(text).is_err());
    }
}
