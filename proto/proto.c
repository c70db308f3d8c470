/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/proto.h"

static void
kd_proto_error_private_init (KdProtoErrorPrivate *priv)
{
	priv->rsp_code = 0;
}

static void
kd_proto_error_private_copy (const KdProtoErrorPrivate *from, KdProtoErrorPrivate *to)
{
	*to = *from;
}

static void
kd_proto_error_private_clear (KdProtoErrorPrivate *priv)
{
}

G_DEFINE_EXTENDED_ERROR (KdProtoError, kd_proto_error)

void
kd_proto_set_rsp_error (GError **error, guint code, const char *text)
{
	GError *made =
		g_error_new (KD_PROTO_ERROR, KD_PROTO_ERROR_REMOTE, "the stub answered %s", text);

	kd_proto_error_get_private (made)->rsp_code = code;
	g_propagate_error (error, made);
}

guint
kd_proto_get_rsp_code (const GError *error)
{
	if (!error || error->domain != KD_PROTO_ERROR)
		return 0;
	return kd_proto_error_get_private (error)->rsp_code;
}
