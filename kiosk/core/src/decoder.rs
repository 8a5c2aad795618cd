//! What the phone app said, which cause it was, and the way out: all that can be tested without a network.

use crate::benefit::vocabulary;

vocabulary! {
    /// What may be behind a message of the phone app. The names are those of `causes` in a pack.
    CauseKind {
        Typo = "typo", "手机上输入有误", "typed wrongly on the phone";
        IdInvalid = "id_invalid", "身份证号码格式或校验位不符", "the identity number is malformed";
        NameDiffers = "name_differs", "姓名与参保信息不一致", "the name differs from the insured data";
        NumberDiffers = "number_differs", "身份证号码与参保信息不一致", "the number differs from the insured data";
        BaseDataDiffers = "base_data_differs", "参保信息与身份证不一致", "insured data differ from the card";
        BelowAge = "below_age", "未到领取待遇年龄", "below the age";
        NotInScheme = "not_in_scheme", "不属于本险种待遇领取人员", "not a recipient of this scheme";
        NotRetired = "not_retired", "系统中不是待遇领取人员", "not a recipient in the system";
        NotYetUpdated = "not_yet_updated", "刚办理退休，信息尚未进入认证库", "just retired, not yet in the base";
        NotOpenHere = "not_open_here", "本地区或险种尚未开通", "not open for this region or scheme";
        NotOpenYet = "not_open_yet", "未到认证时间", "not open yet";
        AlreadyDone = "already_done", "本期已认证", "already done";
        UnderReview = "under_review", "正在审核", "under review";
        DuplicateBenefit = "duplicate_benefit", "重复领取待遇", "drawn twice";
        CardAbnormal = "card_abnormal", "社保卡状态异常", "the social card is abnormal";
        PhotoMissing = "photo_missing", "系统中没有可比对的照片", "no photo to compare with";
        PhotoSlow = "photo_slow", "外省照片获取缓慢", "photo from another province is slow";
        Network = "network", "手机网络中断", "the phone's network";
        FaceChanged = "face_changed", "现在相貌与证件照差异大", "the face changed since the photo";
        LivenessFailed = "liveness_failed", "活体检测未通过", "liveness was not proved";
        SuspectedFake = "suspected_fake", "疑似造假行为", "suspected fake";
        ModelMissing = "model_missing", "尚未建模", "no reference built yet";
        PhoneProblem = "phone_problem", "手机或系统不支持", "the phone is not supported";
        AccountLocked = "account_locked", "手机账户被锁定", "the phone account is locked";
    }
}
