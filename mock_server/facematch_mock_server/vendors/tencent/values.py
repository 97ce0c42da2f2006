"""Values of Tencent's answers that a test can set, and messages, of its client (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from facematch_mock_server.world.set_values import TRUE_OR_FALSE, DocumentedValues

_ATTRIBUTES = "Response.FaceInfos[].FaceAttributesInfo"

VALUES: DocumentedValues = {
    "DetectFace": {
        f"{_ATTRIBUTES}.EyeOpen": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Glass": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Hat": TRUE_OR_FALSE,
        f"{_ATTRIBUTES}.Mask": TRUE_OR_FALSE,
    },
}

#: The messages in Chinese, by code: the sentences of tencentcloud-sdk-python-iai 3.1.191,
#: errorcodes.py. Examples of tccli, and answers in five public programs, have three of them word
#: for word (read 2026-11-30).
CHINESE: Final[Mapping[str, str]] = {
    "AuthFailure.InvalidAuthorization": "认证失败。",
    "FailedOperation.FaceQualityNotQualified": "人脸图片质量不符要求。",
    "FailedOperation.FaceSizeTooSmall": "人脸框大小小于MinFaceSize设置，人脸被过滤。",
    "FailedOperation.ImageDecodeFailed": "图片解码失败。",
    "FailedOperation.ImageDownloadError": "图片下载错误。",
    "FailedOperation.ImageResolutionExceed": "图片分辨率过大。",
    "FailedOperation.ImageResolutionTooSmall": "图片短边分辨率小于64。",
    "FailedOperation.ImageSizeExceed": "base64编码后的图片数据大小不超过5M。",
    "InvalidParameterValue.DeleteFaceNumExceed": "删除人脸数量超出限制。每个人员至少需要包含一张人脸。",
    "InvalidParameterValue.FaceMatchThresholdIllegal": "FaceMatchThreshold参数不合法。",
    "InvalidParameterValue.FaceModelVersionIllegal": "算法模型版本不合法。",
    "InvalidParameterValue.GroupIdAlreadyExist": "人员库ID已经存在。人员库ID不可重复。",
    "InvalidParameterValue.GroupIdIllegal": "人员库ID包含非法字符。人员库ID只支持英文、数字、-%@#&_。",
    "InvalidParameterValue.GroupIdNotExist": "人员库ID不存在。",
    "InvalidParameterValue.GroupIdTooLong": "人员库ID超出长度限制。",
    "InvalidParameterValue.GroupIdsExceed": "传入的人员库列表超过限制。",
    "InvalidParameterValue.GroupNameAlreadyExist": "人员库名称已经存在。人员库名称不可重复。",
    "InvalidParameterValue.GroupNameIllegal": "人员库名称包含非法字符。人员库名称只支持中英文、-、_、数字。",
    "InvalidParameterValue.GroupNameTooLong": "人员库名称超出长度限制。",
    "InvalidParameterValue.ImageEmpty": "图片为空。",
    "InvalidParameterValue.NoFaceInGroups": "指定分组中没有人脸。",
    "InvalidParameterValue.NoFaceInPhoto": "图片中没有人脸。",
    "InvalidParameterValue.PersonFaceNumExceed": "人员人脸数量超出限制。单个人员最多可以包含五张人脸。",
    "InvalidParameterValue.PersonGenderIllegal": "人员性别设置出错。0代表未填写，1代表男性，2代表女性。",
    "InvalidParameterValue.PersonIdAlreadyExist": "人员ID已经存在。人员ID不可重复。",
    "InvalidParameterValue.PersonIdIllegal": "人员ID包含非法字符。人员ID只支持英文、数字、-%@#&_。",
    "InvalidParameterValue.PersonIdNotExist": "人员ID不存在。",
    "InvalidParameterValue.PersonIdTooLong": "人员ID超出长度限制。",
    "InvalidParameterValue.PersonNameIllegal": "人员名称包含非法字符。人员名称只支持中英文、-、_、数字。",
    "InvalidParameterValue.PersonNameTooLong": "人员名称超出长度限制。",
    "InvalidParameterValue.QualityControlIllegal": "QualityControl参数不合法。",
    "InvalidParameterValue.SearchPersonsExceed": "搜索的人员数目超过限制。",
    "InvalidParameterValue.UniquePersonControlIllegal": "UniquePersonControl参数不合法。",
    "InvalidParameterValue.UnsupportedGroupFaceModelVersion": "该操作不支持算法模型版本2.0及以下版本。",
    "InvalidParameterValue.UploadFaceNumExceed": "一次最多上传四张人脸。",
    "InvalidParameterValue.UrlIllegal": "URL格式不合法。",
    "MissingParameter.ErrorParameterEmpty": "必选参数为空。",
    "RequestLimitExceeded": "请求的次数超过了频率限制。",
    "ResourceUnavailable.InArrears": "账号已欠费。",
}
